package main

import "strings"

// constName turns XSEG_OP_WRITE_ZEROES into OpWriteZeroes.
func constName(c string) string {
	c = strings.TrimPrefix(c, "XSEG_ABI_") // the package is abi: abi.Version
	return camel(strings.ToLower(strings.TrimPrefix(c, "XSEG_")))
}

// typeName turns xseg_channel_header into ChannelHeader.
func typeName(c string) string { return camel(strings.TrimPrefix(c, prefix)) }

// camel turns nr_slots into NrSlots. Initials are not made capitals: the mapping is mechanical.
func camel(snake string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(snake, "_") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
