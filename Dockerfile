# docker build -t gansr . && docker run --read-only --tmpfs /tmp -v gansr:/cache -p 7860:7860 gansr
# Without a GPU: --build-arg TORCH=torch-cpu --build-arg PIP_EXTRA_INDEX_URL=(the index of PyTorch's CPU builds)
FROM python:3.12-slim

# torch.compile needs a C++ compiler; without it the networks run uncompiled.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ARG TORCH=torch
ARG PIP_EXTRA_INDEX_URL=
COPY locks/run.txt locks/${TORCH}.txt locks/
RUN pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r locks/run.txt -r locks/${TORCH}.txt

COPY app.py README.md LICENSE NOTICE requirements.txt weights_manifest.json ./
COPY assets assets
COPY gansr gansr
COPY results results

# Everything that is written lies in one volume; the rest of the file system may be read-only.
RUN useradd --uid 1000 --no-create-home --home-dir /cache user && mkdir -p /cache/tmp && chown -R 1000:1000 /cache
USER 1000
VOLUME /cache
ENV HOME=/cache \
    GANSR_CACHE=/cache/gansr \
    GANSR_DATA=/cache/votes \
    HF_HOME=/cache/huggingface \
    GRADIO_TEMP_DIR=/cache/gradio \
    TMPDIR=/cache/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=8)"]
CMD ["python", "app.py"]
