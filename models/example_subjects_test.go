package models_test

import (
	"fmt"

	"github.com/altinn-go/events/models"
)

func ExampleParseSubject() {
	s, err := models.ParseSubject("urn:altinn:organization:identifier-no:987564321")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Kind)
	fmt.Println(s.Path())
	fmt.Println(s) // masked
	fmt.Println(s == models.Organisation("987564321"))
	// Output:
	// organisation
	// /organisation/987564321
	// /organisation/*********
	// true
}

func ExampleMaskSubject() {
	fmt.Println(models.MaskSubject("/party/50019855"))
	fmt.Println(models.MaskSubject("/person/01017512345"))
	fmt.Println(models.MaskSubject("kari@example.no"))
	// Output:
	// /party/50019855
	// /person/***********
	// ***
}

func ExampleRedact() {
	fmt.Println(models.Redact("no access to /person/010175 12345 for party 50019855"))
	// Output:
	// no access to /person/****** ***** for party 50019855
}

func ExampleParseAppSource() {
	s, err := models.ParseAppSource("https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Org, s.App, s.Party)
	fmt.Println(s.Resource())
	// Output:
	// ttd apps-test 50019855
	// urn:altinn:resource:app_ttd_apps-test
}
