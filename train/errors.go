package train

import "errors"

// Errors that a caller tells apart with errors.Is; the CLI maps each to an exit code.
var (
	// ErrConfig marks a setting that cannot be meant: a negative rate, an unknown optimiser.
	ErrConfig = errors.New("invalid setting")
	// ErrRun marks a run directory that cannot be used: held by another process, not a run, damaged beyond its last two checkpoints.
	ErrRun = errors.New("unusable run directory")
	// ErrWeights marks a checkpoint that does not fit the model.
	ErrWeights = errors.New("the checkpoint does not fit")
	// ErrDiverged marks a loss or gradient that is no longer a finite number.
	ErrDiverged = errors.New("training diverged")
	// ErrInterrupted marks a run that was asked to stop and has saved itself.
	ErrInterrupted = errors.New("interrupted")
)
