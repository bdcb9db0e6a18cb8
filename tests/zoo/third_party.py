"""Objects of libraries that are lazy, or run code when they are looked at."""

import tempfile
import warnings

from zoo.trips import KEPT, EvilKey, case, evil, trip

CASES = []
warnings.simplefilter("ignore")


def _numpy():
    import numpy as np

    @case(CASES, "numpy: arrays of all kinds")
    def _():
        objects = np.empty(3, dtype=object)
        objects[0] = evil(object)()
        return [
            objects,
            np.array(5),
            np.zeros(3, dtype=[("a", "i4")]),
            np.zeros((1000, 1000)),
            np.array(["a"], dtype=np.dtypes.StringDType()),
            np.ma.masked_array([1], mask=[True]),
        ]

    @case(CASES, "numpy: scalars of all kinds")
    def _():
        record = np.zeros(1, dtype=[("a", "i4")])[0]
        moment = np.datetime64("2026-01-01")
        return [np.float64(1), np.int64(2), moment, np.str_("x"), record, np.longdouble(1)]

    @case(CASES, "numpy: subclass of a scalar")
    def _():
        return evil(np.float64, skip=("__hash__", "hex"))(1.5)

    @case(CASES, "numpy: subclass of an array")
    def _():
        class Array(np.ndarray):
            def __array_finalize__(self, other):
                trip("__array_finalize__")

            def __array_function__(self, *args):
                trip("__array_function__")

            def __getitem__(self, item):
                trip("__getitem__")

            def __len__(self):
                trip("__len__")

            @property
            def shape(self):
                trip("shape")

            @property
            def dtype(self):
                trip("dtype")

            @property
            def size(self):
                trip("size")

        return np.zeros(5).view(Array)

    @case(CASES, "numpy: mapping of a truncated file")
    def _():
        file = tempfile.NamedTemporaryFile()
        file.truncate(1 << 20)
        array = np.memmap(file.name, dtype="f8", mode="r")
        file.truncate(0)
        KEPT.append(file)
        return array


def _pandas():
    import pandas as pd

    class Hostile:
        def __repr__(self):
            trip("cell")

        __str__ = __format__ = __repr__

    @case(CASES, "pandas: frame, series, index with hostile cells")
    def _():
        frame = pd.DataFrame({"a": [1, 2], "o": [Hostile(), Hostile()]})
        frame.attrs["x"] = Hostile()
        return [frame, frame["a"], frame.index, frame.groupby("a")]

    @case(CASES, "pandas: subclass of a frame")
    def _():
        class Frame(pd.DataFrame):
            @property
            def _constructor(self):
                trip("_constructor")
                return Frame

            def __getattr__(self, name):
                trip(f"__getattr__({name})")
                return pd.DataFrame.__getattr__(self, name)

        return Frame({"a": [1]})

    @case(CASES, "pandas: times, intervals and missing values")
    def _():
        return [pd.Timestamp("2026"), pd.Timedelta("1D"), pd.NaT, pd.NA, pd.Interval(0, 1)]


def _django():
    import django
    from django.conf import settings

    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[],
        SECRET_KEY="zoosecretDD1",
    )
    django.setup()
    from django.db import connection, models
    from django.http import HttpRequest, QueryDict
    from django.utils.functional import SimpleLazyObject, lazy
    from django.utils.safestring import mark_safe

    def meta(**names):
        return type("Meta", (), {"app_label": "zoo", **names})

    class Parent(models.Model):
        name = models.CharField(max_length=5)
        Meta = meta()

    class Child(models.Model):
        parent = models.ForeignKey(Parent, on_delete=models.CASCADE)
        Meta = meta()

    def watch(execute, sql, params, many, context):
        trip("SQL " + sql[:40])
        return execute(sql, params, many, context)

    connection.ensure_connection()
    connection.execute_wrappers.append(watch)

    @case(CASES, "django: lazy object and lazy text")
    def _():
        def get():
            trip("SimpleLazyObject")

        return [SimpleLazyObject(get), lazy(get, str)(), mark_safe("x")]

    @case(CASES, "django: query set")
    def _():
        return [Parent.objects.all(), Parent.objects.filter(name=EvilKey("x"))]

    @case(CASES, "django: instance with deferred fields")
    def _():
        return [Parent.from_db("default", ["id"], [1]), Child(id=1, parent_id=3)]

    @case(CASES, "django: settings")
    def _():
        return settings

    @case(CASES, "django: request")
    def _():
        request = HttpRequest()
        request.META["HTTP_AUTHORIZATION"] = "zoosecretDD2"
        request.COOKIES["sessionid"] = "zoosecretDD3"
        return [request, QueryDict("a=1&password=zoosecretDD4")]


def _sqlalchemy():
    import sqlalchemy as sa
    from sqlalchemy import orm

    base = orm.declarative_base()

    class Parent(base):
        __tablename__ = "parent"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String)
        children = orm.relationship("Child")

    class Child(base):
        __tablename__ = "child"
        id = sa.Column(sa.Integer, primary_key=True)
        parent = sa.Column(sa.ForeignKey("parent.id"))

    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    base.metadata.create_all(engine)
    session = orm.Session(engine)
    parent = Parent(name="x")
    session.add(parent)
    session.commit()
    sa.event.listen(engine, "before_cursor_execute", lambda *args: trip("SQL " + args[2][:40]))
    KEPT.append((session, engine))

    @case(CASES, "sqlalchemy: expired instance with a lazy relation")
    def _():
        return parent

    @case(CASES, "sqlalchemy: query and statement")
    def _():
        return [session.query(Parent), sa.select(Parent), Parent.name == "x"]

    @case(CASES, "sqlalchemy: engine, URL, row")
    def _():
        url = sa.make_url("postgresql://bob:zoosecretDD5@db/x")
        return [engine, url, session.execute(sa.select(Child)).keys()]


def _werkzeug():
    from werkzeug.datastructures import Headers, ImmutableMultiDict
    from werkzeug.local import Local, LocalProxy

    @case(CASES, "werkzeug: local and its proxy")
    def _():
        def find():
            trip("LocalProxy")

        return [LocalProxy(find), Local()]

    @case(CASES, "werkzeug: headers and forms")
    def _():
        headers = Headers([("Authorization", "zoosecretDD6"), ("Host", "a")])
        return [headers, ImmutableMultiDict([("password", "zoosecretDD7")])]


def _wrapt():
    import wrapt

    @case(CASES, "wrapt: proxy of a hostile object")
    def _():
        return wrapt.ObjectProxy(evil(object, skip=("__getattribute__",))())

    @case(CASES, "wrapt: function wrapper")
    def _():
        @wrapt.decorator
        def wrapper(wrapped, instance, args, words):
            trip("wrapper")

        return wrapper(trip)


def _pydantic():
    import pydantic

    @case(CASES, "pydantic: model with a secret")
    def _():
        class Login(pydantic.BaseModel):
            user: str
            password: pydantic.SecretStr
            shape: str = pydantic.Field(repr=False)

            @pydantic.computed_field
            def computed(self) -> str:
                trip("computed")
                return "x"

            def __getattr__(self, name):
                trip(f"__getattr__({name})")
                raise AttributeError(name)

        return Login(user="bob", password="zoosecretDD8", shape="zoosecretDD9")

    @case(CASES, "pydantic: secret texts")
    def _():
        return [pydantic.SecretStr("zoosecretDDA"), pydantic.SecretBytes(b"zoosecretDDB")]


def _others():
    import attr
    import gevent.local
    import greenlet

    @case(CASES, "attrs: class with a field that is not shown")
    def _():
        @attr.s(repr=False, slots=True)
        class Login:
            user = attr.ib()
            shape = attr.ib(repr=False)

        return Login("bob", "zoosecretDDC")

    @case(CASES, "greenlet that was not started")
    def _():
        return greenlet.greenlet(trip)

    @case(CASES, "gevent: local")
    def _():
        return gevent.local.local()


for add in (_numpy, _pandas, _django, _sqlalchemy, _werkzeug, _wrapt, _pydantic, _others):
    add()
