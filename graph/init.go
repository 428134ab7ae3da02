package graph

import (
	"fmt"
	"math"

	"github.com/cnnctl/cnnctl/philox"
)

// Init says how a parameter is drawn at first. The zero Init leaves it to the layer, which follows PyTorch's default.
type Init struct {
	kind  initKind
	value float64
}

type initKind uint8

const (
	initDefault initKind = iota
	initConstant
	initNormal
	initUniform
	initKaimingNormal
	initKaimingNormalIn
	initKaimingUniform
	initXavierUniform
)

// Constant sets every element to v.
func Constant(v float64) Init { return Init{initConstant, v} }

// Normal draws from a normal distribution around 0.
func Normal(std float64) Init { return Init{initNormal, std} }

// KaimingNormal draws from N(0, 2/fan-out), which keeps the variance of gradients through ReLU layers (He et al., arXiv:1502.01852,
// equation 14). torchvision initialises its VGG and ResNet convolutions so.
func KaimingNormal() Init { return Init{kind: initKaimingNormal} }

// KaimingNormalFanIn draws from N(0, 2/fan-in), which keeps the variance of activations through ReLU layers instead (equation 10 of the same
// paper). It is what PyTorch's kaiming_normal_ does if nothing else is asked for.
func KaimingNormalFanIn() Init { return Init{kind: initKaimingNormalIn} }

// KaimingUniform draws from U(-a, a) with a = sqrt(6/fan-in), which has KaimingNormalFanIn's variance. torchvision initialises its
// SqueezeNets so.
func KaimingUniform() Init { return Init{kind: initKaimingUniform} }

// XavierUniform draws from U(-a, a) with a = sqrt(6/(fan-in + fan-out)), meant for tanh (Glorot and Bengio 2010, equation 16).
func XavierUniform() Init { return Init{kind: initXavierUniform} }

// UniformFanIn draws from U(-a, a) with a = 1/sqrt(fan-in). It is what PyTorch does for convolutions and fully connected layers,
// weights and biases, if nothing else is asked for (there it is spelled as Kaiming's uniform with a slope of sqrt 5).
func UniformFanIn() Init { return Init{kind: initUniform} }

func (i Init) String() string {
	switch i.kind {
	case initConstant:
		return fmt.Sprintf("constant %g", i.value)
	case initNormal:
		return fmt.Sprintf("normal, std %g", i.value)
	case initUniform:
		return "uniform, 1/sqrt(fan-in)"
	case initKaimingNormal:
		return "Kaiming normal, fan-out"
	case initKaimingNormalIn:
		return "Kaiming normal, fan-in"
	case initKaimingUniform:
		return "Kaiming uniform, fan-in"
	case initXavierUniform:
		return "Xavier uniform"
	}
	return "default"
}

// or returns i, or d if i is the zero Init.
func (i Init) or(d Init) Init {
	if i.kind == initDefault {
		return d
	}
	return i
}

func (i Init) fill(r *philox.Stream, fanIn, fanOut int, dst []float32) {
	switch i.kind {
	case initConstant:
		for k := range dst {
			dst[k] = float32(i.value)
		}
	case initNormal:
		fillNormal(r, i.value, dst)
	case initKaimingNormal:
		fillNormal(r, math.Sqrt(2/float64(fanOut)), dst)
	case initKaimingNormalIn:
		fillNormal(r, math.Sqrt(2/float64(fanIn)), dst)
	case initKaimingUniform:
		fillUniform(r, math.Sqrt(6/float64(fanIn)), dst)
	case initXavierUniform:
		fillUniform(r, math.Sqrt(6/float64(fanIn+fanOut)), dst)
	case initUniform:
		fillUniform(r, 1/math.Sqrt(float64(fanIn)), dst)
	default:
		panic("graph: a parameter without an initialiser")
	}
}

func fillNormal(r *philox.Stream, std float64, dst []float32) {
	for k := range dst {
		dst[k] = float32(std * r.Normal())
	}
}

func fillUniform(r *philox.Stream, bound float64, dst []float32) {
	for k := range dst {
		dst[k] = float32(r.Uniform(-bound, bound))
	}
}
