import os
import sys
from concurrent.futures import ThreadPoolExecutor

import django
import psycopg

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()

from django.db import IntegrityError, connection, transaction as atomic  # noqa: E402
from django.db.models import F  # noqa: E402
from shop.models import Account, Person  # noqa: E402


def version():
    print(django.__version__)


def crud():
    ada = Person.objects.create(name="Ada", tags=["a", "b"], data={"deep": [1, None]})
    ada.refresh_from_db()
    assert (ada.name, ada.tags, ada.data) == ("Ada", ["a", "b"], {"deep": [1, None]})
    Person.objects.filter(pk=ada.pk).update(name="Lovelace")
    # A cursor on the server; outside of a transaction it would be one WITH HOLD.
    with atomic.atomic():
        assert [each.name for each in Person.objects.iterator(chunk_size=1)] == ["Lovelace"]
    Person.objects.filter(tags__contains=["a"]).delete()
    assert Person.objects.count() == 0


def move(amount):
    try:
        with atomic.atomic():
            Account.objects.filter(pk=1).update(balance=F("balance") - amount)
            Account.objects.filter(pk=2).update(balance=F("balance") + amount)
    finally:
        connection.close()


def transaction():
    Account.objects.bulk_create([Account(pk=1, balance=1000), Account(pk=2, balance=0)])
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(move, [10] * 20))
    try:
        move(900)
        raise AssertionError("The check did not hold.")
    except IntegrityError:
        pass
    rows = list(Account.objects.order_by("pk").values_list("balance", flat=True))
    assert rows == [800, 200], rows


def prepared():
    """By default it binds parameters itself; the driver below prepares what it is told to."""

    def work(first):
        try:
            connection.ensure_connection()
            cursor = psycopg.Cursor(connection.connection)
            for i in range(first, first + 20):
                row = cursor.execute("select %s::int + 1", [i], prepare=True).fetchone()
                assert row == (i + 1,), row
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(0, 400, 20)))


{each.__name__: each for each in (version, crud, transaction, prepared)}[sys.argv[1]]()
