"""A simulator of WordPress with WP-CRM System and our plugin, infra/crm/wordpress/caseline.php."""

from tests.kit.wordpress.server import ME, PASSWORD, Site, by_status

__all__ = ["ME", "PASSWORD", "Site", "by_status"]
