# The image of every Airflow service and of the sandbox; docker-compose.yaml builds it.
#
# Base: a slim Python and nothing else, not apache/airflow:3.3.2-python3.11. The official image brings about a
# hundred providers, pinned by Airflow's own constraints. Installing requirements.txt over them would leave two
# sets of versions in one environment, of which only one was ever tested. Here the lock is the whole truth:
# what the tests ran with is what runs, no more and no less, and `pip check` holds it to that.

ARG PYTHON_VERSION=3.11.14

FROM python:${PYTHON_VERSION}-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

# Alone, so that a change of the code does not install the packages again.
COPY requirements.txt /build/
RUN pip install --no-deps -r /build/requirements.txt && pip check

# As a distribution, so that Airflow finds the provider: its connection types come from an entry point.
COPY pyproject.toml README.md LICENSE /build/
COPY include /build/include
COPY plugins /build/plugins
RUN pip install --no-deps /build && pip check

FROM python:${PYTHON_VERSION}-slim-bookworm

# A volume takes owner and mode of the folder that it is first mounted on: these belong to the user of the
# services, and nobody else may read them.
RUN groupadd --gid 50000 airflow \
    && useradd --uid 50000 --gid airflow --create-home airflow \
    && install --directory --owner airflow --group airflow --mode 0755 /opt/airflow /opt/airflow/logs \
    && install --directory --owner airflow --group airflow --mode 0700 \
        /opt/airflow/auth /srv/migration/home /srv/migration/stage /srv/sandbox

COPY --from=build /opt/venv /opt/venv
COPY --chown=airflow:airflow dags /opt/airflow/dags
COPY --chown=airflow:airflow plugins /opt/airflow/plugins
COPY --chown=airflow:airflow include /opt/airflow/include
COPY --chown=airflow:airflow deploy /opt/airflow/deploy

# Where include/, plugins/ and dags/ are mounted, the mounted code is used, not the installed one.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/airflow/include:/opt/airflow/plugins:/opt/airflow/dags \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW_HOME=/opt/airflow \
    CHAT_MIGRATION_HOME=/srv/migration/home \
    CHAT_MIGRATION_STAGE=/srv/migration/stage

WORKDIR /opt/airflow
USER 50000:50000
CMD ["airflow", "version"]
