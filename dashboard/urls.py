"""Which page answers which address."""

urlpatterns: list[object] = []
