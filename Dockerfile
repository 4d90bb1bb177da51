# Tandem's serving image: `--target cpu` (default) or `--target gpu`.
#
#   docker build --target cpu -t tandem:cpu .
#   docker run --read-only --tmpfs /tmp -p 3000:3000 tandem:cpu
#
# Serving needs nothing of training, so only models/ and service/ are copied. Everything is readable and nothing
# writable for the user that runs it; /tmp must be a tmpfs where the root file system is read-only.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/tandem
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# The dependencies alone, taken from pyproject.toml: the project itself is copied, not installed.
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    open('base.txt', 'w').write('\n'.join(project['dependencies'])); \
    [open(f'{extra}.txt', 'w').write('\n'.join(project['optional-dependencies'][extra])) for extra in ('cpu', 'gpu')]" \
    && /opt/tandem/bin/pip install --quiet -c constraints.txt -r base.txt

FROM packages AS packages-cpu
RUN /opt/tandem/bin/pip install --quiet -c constraints.txt -r cpu.txt && /opt/tandem/bin/python -m compileall -q /opt/tandem

FROM packages AS packages-gpu
RUN /opt/tandem/bin/pip install --quiet -c constraints.txt -r gpu.txt && /opt/tandem/bin/python -m compileall -q /opt/tandem

FROM ${PYTHON_IMAGE} AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp tandem
ENV PATH=/opt/tandem/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BENTOML_DO_NOT_TRACK=true \
    BENTOML_HOME=/tmp/bentoml \
    PORT=3000
WORKDIR /app
COPY LICENSE ./
COPY models models
COPY service service
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/readyz', timeout=2)"]
# `exec`, so that the server is process 1 and gets the signals
CMD ["sh", "-c", "exec bentoml serve service:HybridService --host 0.0.0.0 --port ${PORT} --timeout-graceful-shutdown 30"]

FROM runtime AS gpu
COPY --from=packages-gpu /opt/tandem /opt/tandem
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM runtime AS cpu
COPY --from=packages-cpu /opt/tandem /opt/tandem
