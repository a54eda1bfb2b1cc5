# docker build -t ponder .                         serves on the CPU
# docker build -t ponder --build-arg DEVICE=gpu .  serves on an NVIDIA GPU
ARG DEVICE=cpu
ARG CUDA_IMAGE=nvidia/cuda:13.0.1-cudnn-runtime-ubuntu24.04

FROM python:3.13-slim-trixie AS base-cpu

FROM ${CUDA_IMAGE} AS base-gpu
# The distribution's Python follows the tag of the CUDA image.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV PONDER_DEVICE=cuda

# Stage 1: an environment with the package and what serving on this device needs.
# hadolint ignore=DL3006
FROM base-${DEVICE} AS build
ARG DEVICE
WORKDIR /src
RUN python3 -m venv /opt/ponder
COPY pyproject.toml README.md LICENSE ./
COPY puzzles puzzles
COPY kernel kernel
COPY model model
COPY training training
COPY export export
COPY server server
COPY client client
COPY cli cli
RUN /opt/ponder/bin/pip install --no-cache-dir ".[${DEVICE},trace]"

# Stage 2: that environment and the bundles.
# hadolint ignore=DL3006
FROM base-${DEVICE}
RUN groupadd --system --gid 10001 ponder \
    && useradd --system --uid 10001 --gid 10001 --no-create-home ponder
COPY --from=build /opt/ponder /opt/ponder
WORKDIR /srv/ponder
COPY bundles bundles
RUN install --directory --owner=10001 --group=10001 /var/lib/ponder
VOLUME /var/lib/ponder
ENV PONDER_BATCH_DIR=/var/lib/ponder/batches PONDER_TASK_DIR=/var/lib/ponder/tasks
ENV PATH=/opt/ponder/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PONDER_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["ponder"]
CMD ["serve"]
