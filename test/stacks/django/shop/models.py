from django.contrib.postgres.fields import ArrayField
from django.db import models


class Person(models.Model):
    name = models.TextField(db_index=True)
    tags = ArrayField(models.TextField())
    data = models.JSONField(null=True)
    made_at = models.DateTimeField(auto_now_add=True)


class Account(models.Model):
    balance = models.PositiveIntegerField()
