"""The web process under gunicorn; the address comes from the command line."""

from studio.operation.log_filters import build_logging_config

workers = 2
worker_class = "gthread"
# At most 8 of them serve chat streams (jobs/chat/sse.py), so pages stay responsive.
threads = 12
# Less than the 10 s that supervisord waits before it kills.
graceful_timeout = 5
# gunicorn 27 would open a control socket in the home folder, one for every installation of the account.
control_socket_disable = True
logconfig_dict = build_logging_config("INFO")
