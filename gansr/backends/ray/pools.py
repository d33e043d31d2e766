"""Which workers run which jobs."""

from __future__ import annotations

from gansr import papers
from gansr.backends.ray.settings import PASSES, SEARCHES
from gansr.job import Job
from gansr.method import Method


def pool_of(method: Method) -> str:
    """The pool that runs a method: searches can be left and gone on with, passes are too short for it."""
    return PASSES if method.resume is None else SEARCHES


def methods_of(pool: str) -> tuple[Method, ...]:
    """The methods that a pool runs."""
    return tuple(method for method in papers.METHODS if pool_of(method) == pool)


def model_of(job: Job) -> str:
    """The networks of a job, in one word."""
    return "+".join(sorted(job.method.needs(job.method, job.options).values()))
