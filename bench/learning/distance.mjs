/** ‖a − b‖ over ‖b − initial‖, of whole adapters: how far apart two ended, in parts of the way that they went. */
export function distance(a, b, initial) {
  let [apart, way] = [0, 0]
  for (const [name, { data }] of b.tensors) {
    const [other, start] = [a.tensors.get(name).data, initial.tensors.get(name).data]
    for (let i = 0; i < data.length; i++) {
      apart += (other[i] - data[i]) ** 2
      way += (data[i] - start[i]) ** 2
    }
  }
  return Math.sqrt(apart / way)
}
