# Tandem's serving image: `--target cpu` (default) or `--target gpu`.
#
#   docker build --target cpu -t tandem:cpu .
#   docker run --read-only --tmpfs /tmp --stop-timeout 40 -p 3000:3000 tandem:cpu
#
# `--build-arg EXTRAS=s3,signing` adds what bundles in object storage and signed bundles need, `feedback` what
# recording decisions does.
#
# Serving needs nothing of training, so only feedback/, models/ and service/ are copied. Everything is readable and
# nothing writable for the user that runs it, but /feedback, where a volume with the record of decisions may be mounted;
# /tmp must be a tmpfs where the root file system is read-only.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# The image's own pip fills the environment, so that the environment holds none.
RUN python -m venv --without-pip /opt/tandem
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# pinned as well; cyclonedx-bom lists what is installed, for the bill of materials
RUN python -m pip install --quiet -c constraints.txt pip cyclonedx-bom
# The dependencies alone, taken from pyproject.toml: the project itself is copied, not installed.
ARG EXTRAS=
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
    extras = [each for extra in '${EXTRAS}'.split(',') if extra for each in project['optional-dependencies'][extra]]; \
    open('base.txt', 'w').write('\n'.join(project['dependencies'] + extras)); \
    [open(f'{extra}.txt', 'w').write('\n'.join(project['optional-dependencies'][extra])) for extra in ('cpu', 'gpu')]" \
    && python -m pip --python /opt/tandem/bin/python install --quiet -c constraints.txt -r base.txt \
    && find /opt/tandem -type d -name tests -prune -exec rm -r {} +

FROM packages AS packages-cpu
RUN python -m pip --python /opt/tandem/bin/python install --quiet -c constraints.txt -r cpu.txt
RUN cyclonedx-py environment /opt/tandem/bin/python --pyproject pyproject.toml --output-file sbom.json

FROM packages AS packages-gpu
RUN python -m pip --python /opt/tandem/bin/python install --quiet -c constraints.txt -r gpu.txt
RUN cyclonedx-py environment /opt/tandem/bin/python --pyproject pyproject.toml --output-file sbom.json

# Readable for any user whatever the umask of the checkout, and compiled, as the server cannot write byte code.
FROM ${PYTHON_IMAGE} AS files
WORKDIR /app
COPY LICENSE ./
COPY feedback feedback
COPY models models
COPY service service
RUN chmod -R u=rwX,go=rX . && python -m compileall -q .

FROM ${PYTHON_IMAGE} AS runtime
# /app is made here as root's; buildah would give a WORKDIR that it makes to the USER.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp tandem && mkdir /app \
    && install --directory --owner tandem --group tandem /feedback
ENV PATH=/opt/tandem/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BENTOML_DO_NOT_TRACK=true \
    BENTOML_HOME=/tmp/bentoml \
    PORT=3000
WORKDIR /app
USER 10001:10001
EXPOSE 3000
STOPSIGNAL SIGTERM
# not urllib, which would ask a proxy where http_proxy is set
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['PORT']), timeout=2); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
# `exec`, so that the server is process 1 and gets the signals
CMD ["sh", "-c", "exec python -m service serve --host 0.0.0.0 --port ${PORT}"]

FROM runtime AS gpu
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=packages-gpu /opt/tandem /opt/tandem
COPY --from=files /app /app
COPY --from=packages-gpu /build/sbom.json /app/sbom.json

FROM runtime AS cpu
COPY --from=packages-cpu /opt/tandem /opt/tandem
COPY --from=files /app /app
COPY --from=packages-cpu /build/sbom.json /app/sbom.json
