"""What may stand in a name that people give: anything that they can see, in any language.

Refused are control characters, half characters, and the marks that turn the text around them (U+202A to
U+202E, U+2066 to U+2069): with them `gpj.exe` reads `exe.jpg`, and the rest of a line is turned with it.
Joiners stay (emoji, Persian), and so do the marks that only say which way a letter reads. Names that come
from elsewhere are shown in `<bdi>`, so that they turn nothing but themselves.
"""

from __future__ import annotations

import unicodedata

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def validate_display_name(name: str) -> str:
    """Raises ValidationError naming the character and where it stands."""
    for place, letter in enumerate(name, 1):
        if letter in BIDI_CONTROLS or unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}:
            raise ValidationError(
                _("Character %(place)d is invisible (U+%(code)s). Remove it, or retype the name.")
                % {"place": place, "code": f"{ord(letter):04X}"}
            )
    return name
