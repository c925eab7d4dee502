"""The install's own secret behind what stands for masked keys. It is no setting: a migration made it.

It lies in the database, beside the keys themselves: it keeps guesses from those who see pages, addresses and logs.
"""

from django.db import connection


def mask_key() -> bytes:
    """32 random bytes. One statement."""
    with connection.cursor() as cursor:
        cursor.execute("select secret from mask_key")
        return bytes(cursor.fetchone()[0])
