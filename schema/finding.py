"""Finding one's way in the catalogue: actions by what people say, services by what a business is."""

import strawberry

from resolvers import recommending, searching
from schema.catalogue import Action, Integration


@strawberry.type(description="An action that fits what was asked for.")
class ActionMatch:
    """From searchActions."""

    action: Action = strawberry.field(description="The action.")
    score: float = strawberry.field(description="How well it fits, from 0 to 1; to compare within one answer only.")

    @classmethod
    def of(cls, found: searching.Found) -> "ActionMatch":
        """From what was found."""
        return cls(action=Action.of(found.action), score=found.score)


@strawberry.input(description="What a business says about itself.")
class BusinessProfileInput:
    """For recommendIntegrations."""

    application_type: str = strawberry.field(description='e.g. "saas", "e-commerce", "marketplace".')
    features: list[str] = strawberry.field(description="What it offers, in its own words.", default_factory=list)
    go_to_market: list[str] = strawberry.field(description="How it reaches its customers.", default_factory=list)
    existing_accounts: list[str] = strawberry.field(
        description="Integration slugs or service names the business already has accounts with.", default_factory=list
    )

    def profile(self) -> recommending.Profile:
        """As the rules want it."""
        return recommending.Profile(self.application_type, self.features, self.go_to_market, self.existing_accounts)


@strawberry.type(description="A service that a business needs, or could use.")
class IntegrationRecommendation:
    """From recommendIntegrations."""

    integration: Integration = strawberry.field(description="The service.")
    reason: str = strawberry.field(description="Why it is needed, in plain words.")
    is_required: bool = strawberry.field(description="Without it the business as described does not work.")
    suggested_actions: list[Action] = strawberry.field(description="What agents would do there to begin with.")
    required_scopes: list[str] = strawberry.field(description="The least permissions those actions need.")

    @classmethod
    def of(cls, found: recommending.Recommendation) -> "IntegrationRecommendation":
        """From the rules' answer."""
        return cls(
            integration=Integration.of(found.integration),
            reason=found.reason,
            is_required=found.is_required,
            suggested_actions=[Action.of(each) for each in found.actions],
            required_scopes=list(found.scopes),
        )
