package doctor

import "regexp"

// masked stands for what was taken out.
const masked = "(masked)"

// secrets are forms in which something may appear that nobody else is to know. What looks like one is
// taken out of everything that goes into an archive, wherever it comes from.
var secrets = []struct {
	form *regexp.Regexp
	with string
}{
	// A value after a telling name: KEY = 'x', "cephx_id": 'x', password=x, secret: x.
	{regexp.MustCompile(`(?i)(\b(?:[a-z0-9_-]*(?:secret|passw(?:or)?d|passphrase|token|credential|apikey|keyring)[a-z0-9_-]*` +
		`|cephx_(?:id|key)|(?:[a-z0-9_-]*[_-])?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&"']+)`), "${1}" + masked},
	// A cephx key by itself.
	{regexp.MustCompile(`\bAQ[A-Za-z0-9+/]{36}==`), masked},
	// Name and password in a URL.
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^/@\s:]+:[^/@\s]+@`), "${1}" + masked + "@"},
	// What a PEM file holds.
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----`), masked},
}

// mask takes secrets out of a text.
func mask(text []byte) []byte {
	for _, s := range secrets {
		text = s.form.ReplaceAll(text, []byte(s.with))
	}
	return text
}
