//! An Authenticode signature by a certificate of this machine, as Windows asks for while test signing is on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{process, workspace};

/// What the certificate is: for signing code, by its own authority, and nobody else's.
const REQUEST: &str = "\
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = flowtag test certificate
[extensions]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
";

/// Signs `image` into `signed`, checks the signature, and writes the certificate to `certificate` for Windows.
pub fn sign(image: &Path, signed: &Path, certificate: &Path) -> Result<()> {
    let identity = Identity::of_this_machine()?;
    let mut sign = Command::new("osslsigncode");
    // The image asks for its signature to be checked (/INTEGRITYCHECK), and Windows does that page by page: -ph.
    sign.args(["sign", "-h", "sha256", "-ph", "-n", "flowtag", "-certs"])
        .arg(&identity.certificate)
        .arg("-key")
        .arg(&identity.key)
        .arg("-in")
        .arg(image)
        .arg("-out")
        .arg(signed);
    process::run_quietly(&mut sign, "osslsigncode could not sign the driver")?;

    let mut verify = Command::new("osslsigncode");
    verify.args(["verify", "-CAfile"]).arg(&identity.certificate).arg("-in").arg(signed);
    process::run_quietly(&mut verify, "osslsigncode does not accept the signature that it made")?;

    let mut convert = Command::new("openssl");
    convert.args(["x509", "-outform", "DER", "-in"]).arg(&identity.certificate).arg("-out").arg(certificate);
    process::run_quietly(&mut convert, "openssl could not write the certificate for Windows")
}

/// A key and its certificate. They are kept, so that a machine that trusts one package trusts the next.
struct Identity {
    key: PathBuf,
    certificate: PathBuf,
}

impl Identity {
    fn of_this_machine() -> Result<Self> {
        let folder = workspace::target_folder().join("test-signing");
        fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
        let identity = Self { key: folder.join("key.pem"), certificate: folder.join("certificate.pem") };
        if !identity.certificate.exists() {
            let request = folder.join("request.cnf");
            fs::write(&request, REQUEST).with_context(|| format!("write {}", request.display()))?;
            let mut make = Command::new("openssl");
            make.args(["req", "-x509", "-newkey", "rsa:3072", "-sha256", "-nodes", "-days", "1000", "-config"])
                .arg(&request)
                .arg("-keyout")
                .arg(&identity.key)
                .arg("-out")
                .arg(&identity.certificate);
            process::run_quietly(&mut make, "openssl could not make a test certificate")?;
        }
        Ok(identity)
    }
}
