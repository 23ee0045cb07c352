/** Bytes that JSON is made of, and ends of lines. */
export const QUOTE = 0x22
export const BACKSLASH = 0x5c
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_OBJECT = 0x7b
export const CLOSE_OBJECT = 0x7d
export const OPEN_ARRAY = 0x5b
export const CLOSE_ARRAY = 0x5d
export const NEWLINE = 0x0a
export const RETURN = 0x0d

export const isSpace = (byte: number): boolean => byte === 0x20 || byte === NEWLINE || byte === RETURN || byte === 0x09
export const opens = (byte: number): boolean => byte === OPEN_OBJECT || byte === OPEN_ARRAY
export const closes = (byte: number): boolean => byte === CLOSE_OBJECT || byte === CLOSE_ARRAY
