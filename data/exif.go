package data

import (
	"bytes"
	"encoding/binary"
)

// orientation returns the EXIF orientation, 1 to 8, of an image file, and 1 where there is none or where it makes no
// sense: a picture is worth more than its metadata.
func orientation(kind string, b []byte) int {
	var meta []byte
	switch kind {
	case "jpeg":
		meta = jpegEXIF(b)
	case "png":
		meta = pngEXIF(b)
	case "webp":
		meta = webpEXIF(b)
	}
	return exifOrientation(bytes.TrimPrefix(meta, exifPrefix))
}

// exifPrefix stands before the TIFF structure in a JPEG segment, and by mistake in many WebP files.
var exifPrefix = []byte("Exif\x00\x00")

// jpegEXIF returns the contents of the APP1 segment with EXIF data, if it comes before the pixels.
func jpegEXIF(b []byte) []byte {
	const app1, startOfScan, endOfImage = 0xe1, 0xda, 0xd9
	for i := 2; i+4 <= len(b) && b[i] == 0xff; {
		marker := b[i+1]
		if marker == 0xff { // padding
			i++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[i+2:])) // counts itself
		if marker == startOfScan || marker == endOfImage || n < 2 || i+2+n > len(b) {
			return nil
		}
		if seg := b[i+4 : i+2+n]; marker == app1 && bytes.HasPrefix(seg, exifPrefix) {
			return seg
		}
		i += 2 + n
	}
	return nil
}

// pngEXIF returns the contents of the eXIf chunk (PNG specification, third edition, section 11.3.4.5).
func pngEXIF(b []byte) []byte {
	for i := int64(8); i+12 <= int64(len(b)); {
		n := int64(binary.BigEndian.Uint32(b[i:]))
		if i+12+n > int64(len(b)) {
			return nil
		}
		if string(b[i+4:i+8]) == "eXIf" {
			return b[i+8 : i+8+n]
		}
		i += 12 + n // length, type, data, checksum
	}
	return nil
}

// webpEXIF returns the contents of the EXIF chunk (RFC 9649, section 2.7).
func webpEXIF(b []byte) []byte {
	for i := int64(12); i+8 <= int64(len(b)); {
		n := int64(binary.LittleEndian.Uint32(b[i+4:]))
		if i+8+n > int64(len(b)) {
			return nil
		}
		if string(b[i:i+4]) == "EXIF" {
			return b[i+8 : i+8+n]
		}
		i += 8 + n + n&1 // chunks are padded to even sizes
	}
	return nil
}

// exifOrientation looks up tag 0x0112 in the first directory of a TIFF structure (TIFF 6.0, section 2).
func exifOrientation(b []byte) int {
	if len(b) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	const entrySize, tagOrientation, typeShort = 12, 0x0112, 3
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 1
	}
	entries := b[at+2:]
	for n := int(order.Uint16(b[at:])); n > 0 && len(entries) >= entrySize; n-- {
		e := entries[:entrySize]
		if order.Uint16(e) == tagOrientation {
			v := int(order.Uint16(e[8:]))
			if order.Uint16(e[2:]) == typeShort && order.Uint32(e[4:]) == 1 && v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
		entries = entries[entrySize:]
	}
	return 1
}
