package credentials_test

import (
	"fmt"
	"os"

	"github.com/altinn-go/events/publisher/altinn"
	"github.com/altinn-go/events/publisher/credentials"
)

// A service that publishes in its own name, and in its users' while their requests
// last.
func ExampleNewExchange() {
	keys, err := credentials.KeyFile(credentials.KeyFileConfig{Path: "/var/run/secrets/maskinporten.json"})
	if err != nil {
		fmt.Println(err)
		return
	}
	environment := credentials.TT02()
	maskinporten, err := credentials.NewMaskinporten(keys, credentials.MaskinportenConfig{
		ClientID: os.Getenv("MASKINPORTEN_CLIENT_ID"),
		Scopes:   []string{"altinn:serviceowner", "altinn:events.publish"},
		URL:      environment.MaskinportenURL,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	service, err := credentials.NewExchange(maskinporten, credentials.ExchangeConfig{PlatformURL: environment.PlatformURL, Test: environment.Test})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := altinn.NewClient(environment.PlatformURL, altinn.Config{
		Credentials: altinn.Credentials{Bearer: credentials.User(service)},
	})
	fmt.Println(client, err)
	// Output: key: open /var/run/secrets/maskinporten.json: no such file or directory
}

// One call reads it all from the environment.
func ExampleFromEnv() {
	set, err := credentials.FromEnv(credentials.EnvOptions{})
	if err != nil {
		fmt.Println("credentials are missing")
		return
	}
	client, err := altinn.NewClient(set.Environment.PlatformURL, altinn.Config{Credentials: altinn.Credentials{
		PlatformAccessToken: set.PlatformAccessToken, Bearer: credentials.User(set.Bearer), SubscriptionKey: set.SubscriptionKey,
	}})
	fmt.Println(client, err)
	// Output: credentials are missing
}
