"""How gunicorn serves the web process; the address comes from the command line."""

from studio.operation.log_filters import build_logging_config

workers = 2
worker_class = "gthread"
threads = 12
graceful_timeout = 5
# gunicorn 27 would open a control socket in the home folder, one for every installation of the account.
control_socket_disable = True
logconfig_dict = build_logging_config("INFO")
