package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// maskedCRC is the CRC-32C that TFRecords store. The mask makes the checksum of data that contains checksums meaningful
// (tensorflow/core/lib/hash/crc32c.h).
func maskedCRC(b []byte) uint32 {
	crc := crc32.Checksum(b, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}

// writeRecord frames data: its length as 8 bytes, their masked checksum, the data, its masked checksum; all
// little-endian.
func writeRecord(w io.Writer, data []byte) error {
	b := make([]byte, 0, 12+len(data)+4)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(b))
	b = append(b, data...)
	b = binary.LittleEndian.AppendUint32(b, maskedCRC(data))
	_, err := w.Write(b)
	return err
}
