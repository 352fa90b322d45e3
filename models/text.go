package models

import (
	"unicode"
	"unicode/utf8"
)

// class is a set of characters.
type class uint16

const (
	digits     class = 1 << iota // 0-9
	hexDigits                    // 0-9 a-f A-F
	letters                      // a-z A-Z
	lowerAlnum                   // a-z 0-9
	namespace                    // a-z 0-9 -
	appName                      // an org or an app's name: a-z 0-9 - . _
	urnSegment                   // a-z 0-9 ( ) + , . - ; $ _ ! /
	visible                      // ASCII but control characters and space
	printable                    // visible, and space
	plainHost                    // a-z 0-9 - .
	plainPath                    // a-z A-Z 0-9 - . _ /
)

// classes tells the classes of each byte.
var classes = func() (table [256]class) {
	add := func(set class, first, last byte) {
		for c := first; c <= last; c++ {
			table[c] |= set
		}
	}
	each := func(set class, chars string) {
		for _, c := range []byte(chars) {
			table[c] |= set
		}
	}
	lower := lowerAlnum | namespace | appName | urnSegment | plainHost | plainPath
	add(lower|digits|hexDigits, '0', '9')
	add(lower|letters, 'a', 'z')
	add(letters|plainPath, 'A', 'Z')
	add(hexDigits, 'a', 'f')
	add(hexDigits, 'A', 'F')
	each(namespace|appName|urnSegment|plainHost|plainPath, "-")
	each(appName|urnSegment|plainHost|plainPath, ".")
	each(appName|urnSegment|plainPath, "_")
	each(urnSegment|plainPath, "/")
	each(urnSegment, "()+,;$!")
	add(visible|printable, '!', '~')
	each(printable, " ")
	return table
}()

// has reports whether every byte of s is of the class. Four bytes at a time cost a
// quarter less than one.
func (set class) has(s string) bool {
	got := set
	for ; len(s) >= 4; s = s[4:] {
		got &= classes[s[0]] & classes[s[1]] & classes[s[2]] & classes[s[3]]
	}
	for i := range len(s) {
		got &= classes[s[i]]
	}
	return got == set
}

func isDigit(c byte) bool { return classes[c]&digits != 0 }

// isDigits reports whether s is one or more digits.
func isDigits(s string) bool { return s != "" && digits.has(s) }

// isAppName reports whether s can be an org or an app's name, which begins with a
// letter or digit: "." and ".." would be steps of a path.
func isAppName(s string) bool { return s != "" && classes[s[0]]&lowerAlnum != 0 && appName.has(s) }

// isText reports whether s is valid UTF-8 without control characters.
func isText(s string) bool { return printable.has(s) || isUnicode(s, unicode.IsControl) }

// isWord reports whether s is text without white space.
func isWord(s string) bool {
	return visible.has(s) || isUnicode(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) })
}

// isUnicode reports whether s is valid UTF-8 without what bad reports.
func isUnicode(s string, bad func(rune) bool) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if bad(r) {
			return false
		}
	}
	return true
}

// guidLength is how long a GUID is.
const guidLength = 36

// isGUID reports whether s is 32 hexadecimal digits in groups of 8-4-4-4-12.
func isGUID(s string) bool {
	return len(s) == guidLength && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		hexDigits.has(s[:8]) && hexDigits.has(s[9:13]) && hexDigits.has(s[14:18]) && hexDigits.has(s[19:23]) && hexDigits.has(s[24:])
}
