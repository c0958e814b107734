# One image for web, worker, beat and engine; docker-compose.yml says which command each runs.
FROM python:3.11.13-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 STATE_DIR=/state
WORKDIR /app

COPY requirements.txt ./
RUN pip install --quiet -r requirements.txt

# ENGINE=off makes a small image without torch; TORCH_INDEX names an index with smaller builds of it.
ARG ENGINE=on
ARG TORCH_INDEX=
COPY engine/requirements.txt ./engine/
RUN if [ "$ENGINE" != off ]; then \
      pip install --quiet ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} "$(grep '^torch==' engine/requirements.txt)" \
      && pip install --quiet -r engine/requirements.txt; \
    fi

COPY manage.py ./
COPY studio studio
COPY jobs jobs
COPY metrics metrics
COPY engine engine
COPY templates templates
COPY static static

RUN useradd --system --uid 10001 --home-dir /state studio && install -d -m 700 -o studio -g studio /state /engine
USER studio
VOLUME /state
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "--config", "studio/operation/gunicorn_conf.py", "--bind", "0.0.0.0:8000", "studio.wsgi"]
