"""Forms to create and to change a project."""

from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studio.models import Project
from studio.pages.forms import StyledForm
from studio.projects.places import BUCKET_NAME, ENGINE_OWN, Places, find_bucket_owners, is_foreign
from studio.projects.regions import find_region_owners
from studio.vertex.errors import BadName
from studio.vertex.gs_folders import SCHEME, parse_folder_uri

if TYPE_CHECKING:
    ProjectModelForm = forms.ModelForm[Project]
else:
    ProjectModelForm = forms.ModelForm

PROJECT_ID = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]{6,20}")
REGION = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}|us|eu|global")


class ListField(forms.CharField):
    """A text that stands for a list of texts."""

    separator = ", "

    def prepare_value(self, value: Any) -> Any:
        return self.separator.join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != (initial or []))
        except ValidationError:
            return True


class RegionsField(ListField):
    """Regions separated by commas or spaces; the first is the default."""

    def clean(self, value: Any) -> list[str]:
        names = re.split(r"[\s,]+", super().clean(value).strip())
        if wrong := [name for name in names if not REGION.fullmatch(name)]:
            raise ValidationError(_("“%(name)s” isn’t a region.") % {"name": wrong[0]})
        return list(dict.fromkeys(names))


class SharedPlacesField(ListField):
    """Buckets and folders, one per line, since their names may contain spaces and commas."""

    widget = forms.Textarea(attrs={"rows": 2, "spellcheck": "false"})
    separator = "\n"

    def clean(self, value: Any) -> list[str]:
        lines = filter(None, map(str.strip, super().clean(value).splitlines()))
        return list(dict.fromkeys(map(parse_shared_place, lines)))


def parse_shared_place(text: str) -> str:
    try:
        place = parse_folder_uri(text)
    except BadName:
        place = ""
    if not place:
        raise ValidationError(
            _("“%(name)s” isn’t a bucket or folder. Enter a path like gs://bucket/folder/.") % {"name": text}
        )
    return place


class ProjectForm(StyledForm, ProjectModelForm):
    """Settings of a project. Only an admin of the installation may name the credentials file, since the
    server reads it, and share what belongs to another project."""

    regions = RegionsField(
        label=gettext_lazy("Regions"),
        help_text=gettext_lazy("Comma-separated; the first is the default."),
    )
    shared_places = SharedPlacesField(
        label=gettext_lazy("Shared places"),
        required=False,
        help_text=gettext_lazy(
            "Buckets and folders that this project may use besides its own, one per line, such as "
            "gs://bucket/folder/. gs://cloud-samples-data/ is always shared."
        ),
    )

    class Meta:
        model = Project
        fields = ["name", "regions", "bucket", "shared_places", "quota_project", "credentials_file"]
        labels = {
            "name": gettext_lazy("Name"),
            "bucket": gettext_lazy("Upload bucket"),
            "quota_project": gettext_lazy("Quota project"),
            "credentials_file": gettext_lazy("Credentials file"),
        }
        help_texts = {
            "bucket": gettext_lazy("A Cloud Storage bucket in the region of the jobs, without gs://."),
            "quota_project": gettext_lazy("Project billed for API calls, if different."),
            "credentials_file": gettext_lazy(
                "Path to a service account key on the server. Leave empty to use the server’s own "
                "credentials."
            ),
        }

    def __init__(self, *args: Any, actor: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.actor = actor
        if self.instance.on_engine and self.instance.pk:
            for name in ("quota_project", "credentials_file"):
                del self.fields[name]
        elif not actor.is_superuser:
            self.fields["credentials_file"].disabled = True

    def clean_bucket(self) -> str:
        bucket: str = self.cleaned_data["bucket"].removeprefix("gs://").strip("/")
        if bucket and not BUCKET_NAME.fullmatch(bucket):
            raise ValidationError(_("“%(name)s” isn’t a bucket name.") % {"name": bucket})
        return bucket

    def clean_credentials_file(self) -> str:
        path: str = self.cleaned_data["credentials_file"]
        if path and "credentials_file" in self.changed_data and not is_file(path):
            raise ValidationError(_("File %(path)s doesn’t exist on the server.") % {"path": path})
        return path

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        # Read again, as another admin may have saved since this page's project was read.
        before = Project.objects.filter(pk=self.instance.pk).first() or Project()
        after = copy.copy(self.instance)
        for name, value in cleaned.items():
            setattr(after, name, value)
        added = set(after.regions) - set(before.regions)
        for owner in find_region_owners(after, added):
            self.add_error("regions", owner.describe(self.actor))
        if "bucket" in self.changed_data and after.bucket and self._is_bucket_foreign(after):
            self.add_error("bucket", _("This bucket holds another project’s data. Choose another one."))
        for place in after.shared_places:
            if place not in before.shared_places and self._is_place_foreign(after, place):
                message = _("%(place)s may hold another project’s data. An installation admin can share it.")
                self.add_error("shared_places", message % {"place": place})
        return cleaned

    def _is_place_foreign(self, project: Project, place: str) -> bool:
        return not self.actor.is_superuser and is_foreign(project, place)

    def _is_bucket_foreign(self, project: Project) -> bool:
        """Whether the bucket gives the project what is another's. An installation admin may give one bucket
        to several projects: each then has a prefix of its own."""
        if project.on_engine and ENGINE_OWN.fullmatch(project.bucket):
            return True
        if Places(project).unlimited or not is_foreign(project, f"{SCHEME}{project.bucket}/"):
            return False
        return not (self.actor.is_superuser and find_bucket_owners(project).exists())


class NewProjectForm(ProjectForm):
    """Creates a project; its slug is made from its name."""

    class Meta(ProjectForm.Meta):
        fields = [
            *("name", "backend", "project_id", "regions", "bucket", "shared_places"),
            *("quota_project", "credentials_file"),
        ]
        labels = {
            **ProjectForm.Meta.labels,
            "backend": gettext_lazy("Runs on"),
            "project_id": gettext_lazy("Project ID"),
        }
        help_texts = {
            **ProjectForm.Meta.help_texts,
            "project_id": gettext_lazy("Google Cloud project ID (any valid ID for the local engine)."),
        }

    def clean_project_id(self) -> str:
        project_id: str = self.cleaned_data["project_id"]
        if not PROJECT_ID.fullmatch(project_id):
            raise ValidationError(
                _("“%(name)s” isn’t a project ID. Enter one like my-project-123.") % {"name": project_id}
            )
        return project_id

    def save(self, commit: bool = True) -> Project:
        self.instance.slug = find_free_slug(self.cleaned_data["name"])
        return super().save(commit)


def is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # such as a name longer than the file system allows
        return False


def find_free_slug(name: str) -> str:
    """Return a slug for `name` that no project has yet."""
    stem = slugify(name)[:50] or "project"
    taken = set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return next(slug for slug in itertools.chain([stem], numbered) if slug not in taken)
