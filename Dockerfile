# The JSON service in a container. Its steps are also run outside Docker by tests/serve/web/test_docker.py.
#
#   docker build -t ifdl .
#   docker run --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#     -p 127.0.0.1:8000:8000 -e IFDL_API_KEY="$(openssl rand -hex 24)" ifdl

FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m venv /opt/ifdl
RUN /opt/ifdl/bin/python -m pip install --no-cache-dir --disable-pip-version-check ".[serve,heif,pdf,trace]"
RUN /opt/ifdl/bin/python -m pip uninstall --yes --disable-pip-version-check pip

FROM python:3.11-slim
COPY --from=build /opt/ifdl /opt/ifdl
# One thread a worker: `--workers` says how many pictures are examined at a time.
ENV PATH=/opt/ifdl/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MALLOC_ARENA_MAX=2
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
STOPSIGNAL SIGINT
ENTRYPOINT ["ifdl", "serve", "--no-open"]
CMD ["--host", "0.0.0.0", "--port", "8000"]
