"""The compose files that Plane ships, in short, and the program that puts hangar into them."""

from server import REPOSITORY

PROGRAM = REPOSITORY / "packaging/plane/hangar-compose"

# The shapes of the files that Plane ships: `setup.sh`'s of today, its older one with one environment for all services, and
# that of a developer's machine, whose entrypoint starts MinIO in a shell and makes the bucket.
TODAY = """\
x-minio-env: &minio-env
  MINIO_ROOT_USER: ${AWS_ACCESS_KEY_ID:-access-key}
  MINIO_ROOT_PASSWORD: ${AWS_SECRET_ACCESS_KEY:-secret-key}

services:
  plane-mq:
    image: rabbitmq:3-alpine
    volumes:
      - rabbitmq_data:/var/lib/rabbitmq

  # Comment this if you use another storage
  plane-minio:
    image: minio/minio:latest
    command: server /export --console-address ":9090"
    deploy:
      replicas: 1
      restart_policy:
        condition: any
    environment:
      <<: *minio-env
    volumes:
      - uploads:/export

  # Comment this if you have a proxy
  proxy:
    image: plane-proxy:${APP_RELEASE:-stable}   # żółw
    volumes:
      - proxy_data:/data

volumes:
  uploads:
  rabbitmq_data:
  proxy_data:
"""
OLDER = """\
x-app-env: &app-env
  environment:
    - MINIO_ROOT_USER=${MINIO_ROOT_USER:-"access-key"}

services:
  plane-minio:
    <<: *app-env
    image: minio/minio
    pull_policy: if_not_present
    restart: unless-stopped
    command: server /export --console-address ":9090"
    volumes:
      - uploads:/export
  proxy:
    <<: *app-env
    image: plane-proxy
volumes:
  uploads:
"""
DEVELOPER = """\
services:
  plane-redis:
    image: valkey
 \n  plane-minio:
    image: minio/minio
    restart: unless-stopped
    entrypoint: >
      /bin/sh -c "
      mkdir -p /export/${AWS_S3_BUCKET_NAME} &&
      minio server /export --console-address ':9090' &
      mc mb myminio/${AWS_S3_BUCKET_NAME} -p || true
      && tail -f /dev/null
      "
    volumes:
      - uploads:/export
    env_file:
      - .env
    ports:
      - "9000:9000"

  api:
    command: ./bin/start.sh
volumes:
  uploads:
"""
SHIPPED = {"today": TODAY, "older": OLDER, "developer": DEVELOPER}
