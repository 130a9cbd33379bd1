"""Who the account is, and whom it knows."""

from adapters._kit import Annotated, BeforeValidator, Call, Effect, Field, Result, action
from adapters.microsoft365 import odata
from adapters.microsoft365.parameters import Limit
from domain.json import Json


def _addresses(sent: Json) -> Json:
    if not isinstance(sent, list):
        return []
    return [each.get("address") for each in sent if isinstance(each, dict) and each.get("address")]


def _numbers(sent: Json) -> Json:
    return [each for each in sent if each] if isinstance(sent, list) else []


class Account(Result):
    """The connected account."""

    id: str
    name: str | None = Field(default=None, validation_alias="displayName")
    mail: str | None = Field(default=None, description="Empty for some accounts; then `user_name` is the address.")
    user_name: str = Field(validation_alias="userPrincipalName")
    job_title: str | None = Field(default=None, validation_alias="jobTitle")


class Contact(Result):
    """A contact."""

    id: str
    name: str | None = Field(default=None, validation_alias="displayName")
    mail: Annotated[list[str], BeforeValidator(_addresses)] = Field(default=[], validation_alias="emailAddresses")
    phones: Annotated[list[str], BeforeValidator(_numbers)] = Field(default=[], validation_alias="businessPhones")
    mobile: str | None = Field(default=None, validation_alias="mobilePhone")
    company: str | None = Field(default=None, validation_alias="companyName")
    job_title: str | None = Field(default=None, validation_alias="jobTitle")


@action(effect=Effect.READ, scopes=("User.Read",))
async def get_account(call: Call) -> Account:
    """See whose Microsoft account this is.

    With the name and address that mail from it carries.
    """
    query = {"$select": "id,displayName,mail,userPrincipalName,jobTitle"}
    return Account.of((await call.get("me", query=query)).json)


@action(effect=Effect.READ, scopes=("Contacts.Read",))
async def list_contacts(
    call: Call,
    *,
    name_begins: Annotated[
        str | None,
        Field(description="Only contacts whose shown name begins like this.", min_length=1, max_length=100),
    ] = None,
    mail: Annotated[
        str | None, Field(description="Only contacts with this e-mail address.", min_length=3, max_length=320)
    ] = None,
    limit: Limit = 50,
) -> list[Contact]:
    """List or find contacts.

    Those the person keeps in Outlook; colleagues who are not among them are not found.
    """
    wanted = [
        f"startswith(displayName,{odata.text(name_begins)})" if name_begins else "",
        f"emailAddresses/any(a:a/address eq {odata.text(mail)})" if mail else "",
    ]
    query = {
        "$filter": " and ".join(filter(None, wanted)) or None,
        "$select": "id,displayName,emailAddresses,businessPhones,mobilePhone,companyName,jobTitle",
    }
    return [Contact.of(each) for each in await call.pages("me/contacts", limit=limit, items="value", query=query)]
