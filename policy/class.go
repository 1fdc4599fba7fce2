package policy

// Class is a number that two clients inside the site share when their office and role are the same, for the life of a snapshot:
// what one of them may ask, at one time, the other may. It says nothing of hosts and seats.
func (c *Client) Class() uint64 { return uint64(c.number)<<8 | uint64(c.Role.number()) }
