package device

import (
	"os"
	"strconv"
	"time"
)

// How often the kernel's NBD client looks at a request that has no answer yet. If the device has got
// another connection since, it sends the request again; else it says so in its log and goes on
// waiting. So this is how long users wait after a kill of nbdd, and it puts no limit to a request.
const (
	resendPeriod = time.Second // tuning
	// defaultPeriod is that of a device which nobody has set.
	defaultPeriod = 30 * time.Second
)

// setPeriod sets it for the requests of a device that begin from now on.
func setPeriod(device string, period time.Duration) error {
	f, err := os.OpenFile(sysfs(device, "queue/io_timeout"), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(strconv.FormatInt(period.Milliseconds(), 10))
	return err
}
