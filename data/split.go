package data

import (
	"fmt"
	"math"
	"slices"

	"github.com/cnnctl/cnnctl/philox"
)

// split divides Train: of each class, a seeded draw takes the share opt.ValSplit, rounded, for validation. A class of
// two or more samples keeps at least one in each part. The draw of a class depends on the seed, the class's index and
// its number of samples only.
func (s *Source) split(opt Options) error {
	all := s.Train
	byClass := make([][]int, len(all.Classes()))
	for i := range all.Len() {
		byClass[all.Label(i)] = append(byClass[all.Label(i)], i)
	}
	var train, val []int
	for class, members := range byClass {
		n := int(math.Round(opt.ValSplit * float64(len(members))))
		n = max(min(n, len(members)-1), min(1, len(members)-1), 0)
		perm := make([]int, len(members))
		philox.New(opt.Seed, philox.Split, class, 0).Perm(perm)
		for k, j := range perm {
			if k < n {
				val = append(val, members[j])
			} else {
				train = append(train, members[j])
			}
		}
	}
	slices.Sort(train)
	slices.Sort(val)
	if len(val) == 0 {
		return fmt.Errorf("%w: no class has two samples, so that none can be set aside for validation", ErrFormat)
	}
	var err error
	if s.Train, err = Subset(all, train); err != nil {
		return err
	}
	if s.Val, err = Subset(all, val); err != nil {
		return err
	}
	s.Notes = append(s.Notes, fmt.Sprintf("there is no validation part: %d of %d samples were drawn for it (%g of each class, seed %d)",
		len(val), all.Len(), opt.ValSplit, opt.Seed))
	return nil
}
