package models_test

import (
	"strings"
	"testing"

	"github.com/altinn-go/events/models"
)

const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	tenDigits    = "0123456789"
)

func TestCharacters(t *testing.T) {
	t.Parallel()
	var printable strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		printable.WriteByte(c)
	}
	tests := map[string]struct {
		taken string
		takes func(c string) bool
	}{
		"ID": {printable.String(), func(c string) bool {
			ev := genericEvent()
			v1(&ev).ID = "a" + c
			return models.Validator{}.Validate(ev) == nil
		}},
		"Type": {strings.TrimSpace(printable.String()), func(c string) bool {
			ev := genericEvent()
			v1(&ev).Type = "a" + c
			return models.Validator{}.Validate(ev) == nil
		}},
		"ExtensionName": {lowerLetters + tenDigits, func(c string) bool {
			ev := genericEvent()
			v1(&ev).Extensions["a"+c] = "x"
			return models.Validator{}.Validate(ev) == nil
		}},
		"Org":       {lowerLetters + tenDigits + "-._", func(c string) bool { return models.App{Org: "a" + c, Name: "a"}.Validate() == nil }},
		"Segment":   {lowerLetters + tenDigits + "()+,.-;$_!/", func(c string) bool { return models.IsResource("urn:a:a" + c) }},
		"Namespace": {lowerLetters + tenDigits + "-", func(c string) bool { return models.IsResource("urn:a" + c + ":a") }},
		"PartyID": {tenDigits, func(c string) bool {
			_, err := models.ParseSubject("/party/1" + c)
			return err == nil
		}},
		"GUID": {lowerLetters[:6] + upperLetters[:6] + tenDigits, func(c string) bool {
			_, err := models.ParseAppSource(testApp.Source("1/" + strings.ReplaceAll("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "x", c)))
			return err == nil
		}},
		"MaskedPrefix": {lowerLetters + upperLetters + "/", func(c string) bool { return models.MaskSubject("/a"+c+"/x") != "***" }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for c := range 256 {
				s := string([]byte{byte(c)})
				if got, want := tt.takes(s), strings.Contains(tt.taken, s); got != want {
					t.Errorf("%q is taken: %t, want %t", s, got, want)
				}
			}
		})
	}
}
