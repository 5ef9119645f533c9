//! A simulated Windows kernel and WFP engine: it runs a `.sys` file, unmodified, inside a Linux process.
