"""Where a resource lives: API version, project and location, and the names that follow from them."""

import re
from dataclasses import dataclass

from engine.protojson.errors import invalid_argument, not_found
from engine.queue.job_folder import JobFolder
from engine.services import root

_LOCATION = re.compile(r"[a-z]+(-[a-z]+\d+)?")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:_-]{0,99}", re.IGNORECASE)
JOB_DIGITS = 19  # nanoseconds since 1970 have 19 digits until the year 2286


@dataclass(frozen=True, slots=True)
class Place:
    """Project ids are returned as they were sent: the engine does not know project numbers."""

    version: str
    project: str
    location: str

    def __post_init__(self) -> None:
        if not _LOCATION.fullmatch(self.location):
            raise invalid_argument(
                f"Unsupported location: {self.location}. Use a region such as us-central1."
            )
        if not _PROJECT.fullmatch(self.project):
            raise invalid_argument(f"Invalid project id: {self.project}.")

    @property
    def parent(self) -> str:
        return f"projects/{self.project}/locations/{self.location}"

    def resource_name(self, *path: str) -> str:
        return "/".join((self.parent, *path))

    def contains_job(self, folder: JobFolder) -> bool:
        job = folder.job
        return (job["project"], job["location"]) == (self.project, self.location)

    def jobs(self) -> list[JobFolder]:
        """The tuning jobs of this project and location, the newest first."""
        return [folder for folder in reversed(JobFolder.all(root())) if self.contains_job(folder)]

    def find_job(self, job_id: str) -> JobFolder | None:
        if not re.fullmatch(rf"\d{{{JOB_DIGITS}}}", job_id):
            return None
        folder = JobFolder(root() / "jobs" / job_id)
        return folder if folder.job and self.contains_job(folder) else None

    def job(self, job_id: str) -> JobFolder:
        """Raises NOT_FOUND, as for a wrong project or location."""
        folder = self.find_job(job_id)
        if folder is None:
            raise not_found(f"The TuningJob {self.resource_name('tuningJobs', job_id)} does not exist.")
        return folder
