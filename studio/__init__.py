"""Tuning Studio: the frame of the site, and all access to Google."""

from studio.celery import app as celery_app

__all__ = ["celery_app"]
