# Two images: `studio` for web, worker, beat and preparation, and `engine`, which alone has torch.
# docker-compose.yml says which command each container runs.
FROM python:3.11.13-slim-bookworm AS base

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.txt ./
RUN pip install --quiet -r requirements.txt

# New volumes take over owner and mode of these folders. The database's own user reads its password there.
RUN useradd --system --uid 10001 --home-dir /state studio \
    && install -d -m 700 -o studio -g studio /state /engine /secrets/engine \
    && install -d -m 755 -o studio -g studio /secrets/database
COPY studio/operation/container_health.py ./

FROM base AS engine
# TORCH_INDEX names an index with smaller builds of torch.
ARG TORCH_INDEX=
COPY engine/requirements.txt ./engine/
RUN pip install --quiet ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} "$(grep '^torch==' engine/requirements.txt)" \
    && pip install --quiet -r engine/requirements.txt
COPY engine engine
ENV HF_HOME=/engine/huggingface
USER studio
EXPOSE 8090
CMD ["python", "-m", "engine", "--host", "0.0.0.0", "--root", "/engine/root", "--token-file", "/secrets/engine/token"]

FROM base AS studio
COPY manage.py ./
COPY studio studio
COPY jobs jobs
COPY metrics metrics
COPY templates templates
COPY static static
ENV STATE_DIR=/state
USER studio
VOLUME /state
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "studio/operation/gunicorn_conf.py", "--bind", "0.0.0.0:8000", "studio.wsgi"]
