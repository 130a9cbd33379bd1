"""The workspace and the people in it."""

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters.slack.parameters import Limit, UserId
from adapters.slack.results import Account, Person, PersonWithEmail


@action(effect=Effect.READ)
async def get_account(call: Call) -> Account:
    """See which workspace this is.

    Also names the app's own user there, by which its messages can be recognised.
    """
    answer = await call.post("auth.test", harmless=True)
    return Account.of(answer.json)


@action(effect=Effect.READ, scopes=("users:read",))
async def get_user_info(call: Call, *, user: UserId) -> Person:
    """Look up one person or app by id.

    Mail addresses are not included.
    """
    answer = await call.post("users.info", form={"user": user}, harmless=True)
    return Person.of(answer.at("user"))


@action(effect=Effect.READ, scopes=("users:read",))
async def list_users(call: Call, *, limit: Limit = 100) -> list[Person]:
    """List the people and apps of the workspace.

    Includes apps (`is_bot`) and those who have left (`deleted`). Slack has no search by name: list, then
    compare.
    """
    return [Person.of(each) for each in await call.pages("users.list", limit=limit, items="members")]


@action(effect=Effect.READ, scopes=("users:read", "users:read.email"))
async def find_user_by_email(
    call: Call,
    *,
    email: Annotated[
        str, Field(description="The whole address.", min_length=3, max_length=320, pattern=r"^[^\s@]+@[^\s@]+$")
    ],
) -> PersonWithEmail:
    """Find a person by e-mail address.

    Not found (users_not_found) when nobody in the workspace has this address.
    """
    answer = await call.post("users.lookupByEmail", form={"email": email}, harmless=True)
    return PersonWithEmail.of(answer.at("user"))
