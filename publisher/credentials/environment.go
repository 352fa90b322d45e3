package credentials

import (
	"fmt"
	"slices"
	"strings"
)

// Environment is where Altinn and Maskinporten stand. A custom one is a struct.
//
// Source: Altinn/altinn-studio-docs, base-urls.md; docs.digdir.no (2026-08).
type Environment struct {
	// Name is what FromEnv calls it, such as "tt02".
	Name string
	// PlatformURL is what altinn.NewClient and ExchangeConfig take.
	PlatformURL string
	// AppsDomain stands after the service owner in the host of an app.
	AppsDomain string
	// MaskinportenURL is what MaskinportenConfig takes.
	MaskinportenURL string
	// Test reports that tokens are exchanged with test=true.
	Test bool
}

// Production returns the environment of real data.
func Production() Environment {
	return Environment{"production", "https://platform.altinn.no", "apps.altinn.no", "https://maskinporten.no/", false}
}

// TT02 returns the test environment of service owners.
func TT02() Environment {
	return Environment{"tt02", "https://platform.tt02.altinn.no", "apps.tt02.altinn.no", "https://test.maskinporten.no/", true}
}

// AT returns an internal test environment, of the number 21 to 24.
func AT(number int) Environment {
	name := fmt.Sprintf("at%d", number)
	return Environment{name, "https://platform." + name + ".altinn.cloud", "apps." + name + ".altinn.cloud", "https://test.maskinporten.no/", true}
}

// Local returns the environment of a sink, or of another platform on this machine,
// at platformURL.
func Local(platformURL string) Environment {
	return Environment{"local", platformURL, "apps.altinn.no", platformURL, true}
}

// AppBaseURL returns the external address of an app, which models.App.BaseURL takes:
// "https://ttd.apps.altinn.no/ttd/apps-test".
func (e Environment) AppBaseURL(org, app string) string {
	return "https://" + org + "." + e.AppsDomain + "/" + org + "/" + app
}

// environmentNamed returns the environment with a name, but for the local one.
func environmentNamed(name string) (Environment, error) {
	all := []Environment{Production(), TT02(), AT(21), AT(22), AT(23), AT(24)}
	i := slices.IndexFunc(all, func(e Environment) bool { return strings.EqualFold(e.Name, name) })
	if i < 0 {
		return Environment{}, fmt.Errorf("is %q, want production, tt02, at21 to at24 or local", name)
	}
	return all[i], nil
}
