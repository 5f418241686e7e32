import sys
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy
from model import URL, Account, Person
from sqlalchemy import create_engine, func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session


def version():
    print(sqlalchemy.__version__)


def engine():
    return create_engine(URL, pool_size=20)


def crud():
    with Session(engine()) as session:
        ada = Person(name="Ada", tags=["a", "b"], data={"deep": [1, None]})
        session.add(ada)
        session.commit()
        assert (ada.name, ada.tags, ada.data) == ("Ada", ["a", "b"], {"deep": [1, None]})
        ada.name = "Lovelace"
        session.commit()
        assert session.scalars(select(Person.name)).all() == ["Lovelace"]
        session.delete(ada)
        session.commit()
        assert session.scalar(select(func.count()).select_from(Person)) == 0


def move(shared, amount):
    with Session(shared) as session, session.begin():
        for id, by in ((1, -amount), (2, amount)):
            change = update(Account).where(Account.id == id)
            session.execute(change.values(balance=Account.balance + by))


def transaction():
    shared = engine()
    with Session(shared) as session, session.begin():
        session.add_all([Account(id=1, balance=1000), Account(id=2, balance=0)])
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda amount: move(shared, amount), [10] * 20))
    try:
        move(shared, 900)
        raise AssertionError("The check did not hold.")
    except IntegrityError:
        pass
    with Session(shared) as session:
        rows = session.scalars(select(Account.balance).order_by(Account.id)).all()
    assert rows == [800, 200], rows


def prepared():
    """The driver prepares by itself what is run five times on a connection."""
    shared = engine()

    def work(i):
        with shared.connect() as connection:
            for _ in range(20):
                found = connection.scalar(text(f"select cast(:i as int) + {i % 3}"), {"i": i})
                assert found == i + i % 3, found

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(work, range(60)))


{each.__name__: each for each in (version, crud, transaction, prepared)}[sys.argv[1]]()
