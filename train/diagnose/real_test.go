package diagnose

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cnnctl/cnnctl/data"
	"github.com/cnnctl/cnnctl/data/synth"
	"github.com/cnnctl/cnnctl/train"
	"github.com/cnnctl/cnnctl/train/transfer"
)

// negatives are the pictures of a data set, inverted.
type negatives struct{ data.Dataset }

func (n negatives) Read(i int, m *data.Image) error {
	err := n.Dataset.Read(i, m)
	invert(m.Pix)
	return err
}

// The statistics that the batch norms of a published network have kept of CIFAR-10, against those of CIFAR's test images, of flowers, of the
// negatives of both, and of drawn digits: MismatchDistance lies between photographs and digits.
func TestBatchNormDistances(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a large archive")
	}
	shared := filepath.Join("..", "..", "..", "shared", "data")
	weights := filepath.Join(shared, "weights", "resnet20-12fca82f.th")
	if _, err := os.Stat(weights); err != nil {
		t.Skipf("no test data: %v", err)
	}
	dev, err := openCPU()
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	m, err := train.LoadModel(weights, train.Foreign{Model: "resnet20"}, dev)
	if err != nil {
		t.Fatal(err)
	}
	places, err := views(m.Weights)
	if err != nil {
		t.Fatal(err)
	}
	if len(places) != activationLayers || places[0].kept == nil {
		t.Fatalf("%d places, %+v", len(places), places[0])
	}
	distance := func(set data.Dataset) float64 {
		s, err := transfer.Samples{Set: set, Pipe: m.Pipe, Workers: 2}.Pick(activationImages)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, v := range places {
			got, err := moments(context.Background(), s, m.Weights, v.node)
			if err != nil {
				t.Fatal(err)
			}
			sum += Distance(*v.kept, got) / float64(len(places))
		}
		return sum
	}
	measured := map[string]float64{}
	for name, path := range map[string]string{"cifar": "cifar10-jpg.tar.gz", "flowers": filepath.Join("flowers128", "flowers")} {
		src, err := data.Open(filepath.Join(shared, path), data.Options{ValSplit: 0.2, MaxPixels: data.DefaultMaxPixels})
		if err != nil {
			t.Fatal(err)
		}
		measured[name], measured["inverted "+name] = distance(src.Val), distance(negatives{src.Val})
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
	digits, _ := synth.Open("digits", 0)
	measured["digits"] = distance(digits.Val)
	t.Logf("%v", measured)
	for _, order := range [][2]string{{"cifar", "inverted cifar"}, {"cifar", "flowers"}, {"flowers", "inverted flowers"}, {"inverted flowers", "digits"}} {
		if measured[order[0]] >= measured[order[1]] {
			t.Errorf("%s at %.3f, %s at %.3f", order[0], measured[order[0]], order[1], measured[order[1]])
		}
	}
	if measured["flowers"] > MismatchDistance || measured["digits"] < MismatchDistance {
		t.Errorf("photographs at %.3f, digits at %.3f, a bound of %.2f between", measured["flowers"], measured["digits"], MismatchDistance)
	}
}
