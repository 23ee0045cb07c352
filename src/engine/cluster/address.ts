/** `10.0.0.7:2222`, `[fd00::7]:2222`: an IP address and a port as TensorFlow and URLs write them. */
export const hostPort = (address: string, port: number): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`
