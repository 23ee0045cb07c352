// The libtensorflow that everything here is built on: the C library inside a Python wheel, by version and hash.
export const TENSORFLOW = '2.21.0'

/** Of cp311, manylinux_2_27_x86_64: the library is the same in the wheel of every Python. */
export const WHEELS = {
  cpu: {
    name: 'tensorflow-cpu',
    megabytes: 274,
    sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
  },
  gpu: {
    name: 'tensorflow',
    megabytes: 572,
    sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
  },
}
