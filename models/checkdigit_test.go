package models_test

import (
	"testing"

	"github.com/altinn-go/events/models"
)

func TestIsPersonNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"16035001577":  true,
		"01014922047":  true,
		"08895699684":  true, // month + 80
		"02056241046":  true,
		"18874198354":  true,
		"29865197932":  true,
		"01017512345":  false,
		"16069412345":  false,
		"01038712345":  false,
		"01039012345":  false,
		"14029112345":  false,
		"12345678901":  false,
		"16035001578":  false,
		"16035001567":  false,
		"1603500157":   false,
		"160350015770": false,
		"1603500157x":  false,
		"":             false,
	} {
		if got := models.IsPersonNumber(number); got != want {
			t.Errorf("number that begins %.2s… is %t, want %t", number, got, want)
		}
	}
}

// Check digits are computed here in another way, so that dates and rules can be
// tried without numbers that anybody could have.
func TestIsPersonNumber_Dates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		date string
		want bool
	}{
		"Classic":           {"160350", true},
		"DNumber":           {"560350", true},
		"SyntheticTenor":    {"168350", true},
		"SyntheticOlder":    {"164350", true},
		"SyntheticDNumber":  {"568350", true},
		"LastDay":           {"310150", true},
		"LastDNumberDay":    {"710150", true},
		"LeapDay":           {"290252", true},
		"LeapDay2000":       {"290200", true},
		"NoLeapDay":         {"290251", false},
		"SyntheticLeapDay":  {"298252", true},
		"April31":           {"310450", false},
		"Day0":              {"000150", false},
		"Day32":             {"320150", false},
		"DNumberDay0":       {"400150", false},
		"DNumberDay32":      {"720150", false},
		"Month0":            {"160050", false},
		"Month13":           {"161350", false},
		"OlderMonth0":       {"164050", false},
		"OlderMonth13":      {"165350", false},
		"TenorMonth0":       {"168050", false},
		"TenorMonth13":      {"169350", false},
		"December":          {"161250", true},
		"SyntheticDecember": {"169250", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := false
			for _, individual := range []string{"000", "001", "002"} { // one of them has check digits
				number, ok := withCheckDigits(tt.date+individual, 0)
				if !ok {
					continue
				}
				found = true
				if got := models.IsPersonNumber(number); got != tt.want {
					t.Errorf("got %t, want %t", got, tt.want)
				}
			}
			if !found {
				t.Fatal("no number to try")
			}
		})
	}
}

func TestIsPersonNumber_FirstCheckFrom2032(t *testing.T) {
	t.Parallel()
	for remainder := range 11 {
		tried := 0
		for _, individual := range []string{"000", "001", "002", "003", "004"} {
			number, ok := withCheckDigits("168350"+individual, remainder)
			if !ok {
				continue
			}
			tried++
			if got, want := models.IsPersonNumber(number), remainder <= 3; got != want {
				t.Errorf("remainder %d is %t, want %t", remainder, got, want)
			}
		}
		if tried == 0 {
			t.Errorf("no number to try for remainder %d", remainder)
		}
	}
}

// withCheckDigits adds the check digits to nine digits: the first leaves the
// given remainder, the second none. It is not ok if one would have two digits.
func withCheckDigits(nine string, remainder int) (string, bool) {
	add := func(digits string, weights []int, remainder int) (string, bool) {
		for check := range 10 {
			sum := check
			for i, w := range weights {
				sum += int(digits[i]-'0') * w
			}
			if sum%11 == remainder {
				return digits + string(rune('0'+check)), true
			}
		}
		return "", false
	}
	ten, ok := add(nine, []int{3, 7, 6, 1, 8, 9, 4, 5, 2}, remainder)
	if !ok {
		return "", false
	}
	return add(ten, []int{5, 4, 3, 2, 7, 6, 5, 4, 3, 2}, 0)
}

func TestIsOrganisationNumber(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]bool{
		"989271156":  true,
		"991825827":  true,
		"312508729":  true,
		"311443755":  true,
		"950474084":  true,
		"974760673":  true,
		"897069650":  false,
		"897069631":  false,
		"987654321":  false,
		"986252933":  false,
		"987564321":  false,
		"123456789":  false,
		"98927115":   false,
		"9892711560": false,
		"98927115x":  false,
		"":           false,
	} {
		if got := models.IsOrganisationNumber(number); got != want {
			t.Errorf("%s is %t, want %t", number, got, want)
		}
	}
}
