"""Makes organisations in the BottleCRM under test, each with an administrator for Caseline and a person; prints their tokens, a line of JSON each.

Runs in BottleCRM's own environment: `python site_boot.py HOW_MANY`.
"""

import json
import sys

import django

django.setup()

from common.models import Org, PersonalAccessToken, Profile, User  # noqa: E402
from opportunity.models import DealPipeline  # noqa: E402


def member(org, name):
    user, _ = User.objects.get_or_create(email=f"{name}@{org.id}.example", defaults={"name": name, "is_active": True})
    profile = Profile.objects.create(user=user, org=org, role="ADMIN", is_active=True, is_organization_admin=True)
    return {"profile": str(profile.id), "token": PersonalAccessToken.generate(profile, name)[0]}


for _ in range(int(sys.argv[1])):
    org = Org.objects.create(name="acme")
    DealPipeline.default_for(org)
    print(json.dumps({"org": str(org.id), "caseline": member(org, "caseline"), "person": member(org, "ann")}))
