"""A small demonstration in Gradio, for one's own machine: the four answers, and where the verdict marks the picture.

    pip install "ifdl[demo]" && python examples/gradio_demo.py

For work there is `ifdl serve`: it needs less, shows more, and is not reachable by what other pages a browser shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ifdl
from ifdl.intake import IntakeError, Limits
from ifdl.report import overlay, words

HERE = Path(__file__).parent
LIMITS = Limits(file_bytes=64 * 1024**2)


def answers(file: str | None) -> tuple[Any, str]:
    """The picture with its marked regions (uint8 H×W×3), and the four answers as plain text."""
    if not file:
        return None, "Choose a picture."
    try:
        report = ifdl.examine(file, limits=LIMITS)
    except IntakeError as error:
        return None, f"This file cannot be examined: {error.reason}"
    assert report.picture is not None
    said = [f"{words.QUESTIONS[a.question]}: {words.state_words(a)}. {a.sentence}" for a in report.verdict.answers]
    return overlay.overlay(report.picture, report.verdict), words.visible("\n\n".join(said))


def build() -> Any:
    """The page. What a file says of itself is shown as text, never as markup."""
    import gradio as gr

    with gr.Blocks(title="ifdl", analytics_enabled=False) as page:
        gr.Markdown("# ifdl\nFour questions, never one percentage of fakeness. Pictures stay on this machine.")
        with gr.Row():
            with gr.Column():
                # A file, not an image: Gradio would decode and save it anew, and the traces would be gone.
                file = gr.File(label="Picture", type="filepath")
                gr.Examples([str(path) for path in sorted(HERE.glob("*.jpg"))], file)
            with gr.Column():
                marked = gr.Image(label="Marked regions", interactive=False, format="png")
                said = gr.Textbox(label="Answers", lines=16, interactive=False)
        file.change(answers, file, [marked, said], concurrency_limit=1)
    return page.queue(max_size=8)


if __name__ == "__main__":
    build().launch(server_name="127.0.0.1", share=False, max_file_size=LIMITS.file_bytes, show_error=False)
