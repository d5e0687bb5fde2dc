"""`ifdl serve`: the page on this machine, and the JSON service."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated, NoReturn

import typer

BAD_CALL = 2
CONNECTIONS = 256  # at a time; more get 503 at once
BACKLOG = 128
GRACE = 5  # seconds for answers under way when the service ends
KEY = "IFDL_API_KEY"  # in the environment, where other users of the machine cannot read it


def register(app: typer.Typer) -> None:
    """Add the command to the main program."""
    app.command(
        "serve", epilog=f"Example: ifdl serve   Programs send the key in {KEY} as `Authorization: Bearer KEY`."
    )(serve)


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="Print the address, open no browser.")] = False,
    host: Annotated[str, typer.Option(help=f"Beyond this machine: JSON only, and {KEY} must be set.")] = "127.0.0.1",
    workers: Annotated[int, typer.Option(min=1, help="Pictures examined at a time.")] = 1,
    queue: Annotated[int, typer.Option(min=0, help="Pictures that may wait; more get 503.")] = 8,
    max_seconds: Annotated[float, typer.Option(min=1, help="Time limit of one examination.")] = 180.0,
    max_pixels: Annotated[float, typer.Option(min=0.01, help="Pixel limit, in megapixels.")] = 100.0,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="File size limit, in megabytes.")] = 64.0,
    keep: Annotated[Path | None, typer.Option(help="Keep reports in this folder; by default nothing is kept.")] = None,
    case: Annotated[
        Path | None, typer.Option(help="A case: a folder for everything examined, with notes, marks and a log.")
    ] = None,
    keep_pictures: Annotated[
        bool, typer.Option("--keep-pictures", help="Keep the pictures in the case, not only their hashes.")
    ] = False,
    index: Annotated[
        Path | None, typer.Option(help="An archive's index (`ifdl index`), for the Trace tab and /v1/trace.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help=f"Keys, one a line, instead of {KEY}.")] = None,
    allow_urls: Annotated[
        bool, typer.Option("--allow-urls", help="Let programs name a picture by its http(s) address.")
    ] = False,
) -> None:
    """Open the page on this machine: drop a picture, see the answers, ask about parts of it."""
    try:
        import uvicorn

        from ifdl.serve.web.app import create
    except ImportError as error:
        _refuse(f'the page needs the serve extra: pip install "ifdl[serve]" ({error})')
    from ifdl.intake import Limits
    from ifdl.serve.web.settings import Settings

    try:
        key = key_file.read_text("utf-8") if key_file is not None else os.environ.get(KEY, "")
        if index is not None:
            from ifdl.trace.index import Index

            with Index(index):
                pass
        if case is not None:
            from ifdl.serve.cases import Case

            with Case(case, create=True):
                pass
    except (OSError, ValueError) as error:
        _refuse(str(error))
    try:
        listening = _bound(host, port)
    except OSError as error:
        _refuse(f"port {port} of {host} cannot be used: {error.strerror}")
    limits = Limits(pixels=int(max_pixels * 1e6), file_bytes=int(max_megabytes * 1024**2))
    try:
        settings = Settings(
            host=host,
            port=listening.getsockname()[1],
            key=key,
            limits=limits,
            seconds=max_seconds,
            workers=workers,
            queue=queue,
            keep=keep,
            index=index,
            case=case,
            keep_pictures=keep_pictures,
            urls=allow_urls,
        )
    except ValueError as error:
        _refuse(f"{error}: set {KEY} or --key-file")
    place = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
    if settings.local:
        typer.echo(f"Page, for one browser: {place}/?token={settings.token}", err=True)
    typer.echo(f"For programs: {place}/v1/openapi.json{' (with the key)' if settings.keys else ''}", err=True)
    if not keep_pictures:
        typer.echo("Pictures stay in memory and go when this ends (Ctrl-C).", err=True)
    if allow_urls:
        typer.echo("Programs may have pictures fetched from public addresses.", err=True)
    if case is not None:
        typer.echo(f"Case: {case}: reports, notes and a log{', and the pictures' if keep_pictures else ''}.", err=True)
    if keep is not None:
        typer.echo(f"Reports are kept in {keep}.", err=True)
    if settings.local and not no_open:
        typer.launch(f"{place}/?token={settings.token}")
    config = uvicorn.Config(
        create(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket: the port is known before anything is said about it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)  # whoever reads the address may call at once, and waits until all has started
    except OSError:
        listening.close()
        raise
    return listening


def _refuse(why: str) -> NoReturn:
    typer.echo(f"ifdl: {why}", err=True)
    raise typer.Exit(BAD_CALL)
