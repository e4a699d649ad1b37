//! `auth.proto` as code and as a description. Made from it once and kept, so that who builds the component needs neither
//! protoc nor a compiler of our own; a test fails when they are not what the file says.

#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

include!("generated/auth.rs");

/// The file and its types, as a `google.protobuf.FileDescriptorSet`.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/auth.bin");

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::FILE_DESCRIPTOR_SET;
    use prost::Message;

    #[test]
    fn code_and_description_are_what_the_file_says() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = protox::compile(["auth.proto"], [folder]).unwrap();
        let made = std::env::temp_dir().join(format!("octo-grpc-{}", std::process::id()));
        fs::create_dir_all(&made).unwrap();
        let mut description = files.clone();
        for file in &mut description.file {
            file.source_code_info = None;
        }
        tonic_prost_build::configure()
            .build_client(false)
            .build_transport(false)
            .out_dir(&made)
            .compile_fds(files)
            .unwrap();
        let code = fs::read_to_string(made.join("auth.rs")).unwrap();
        fs::remove_dir_all(&made).unwrap();
        let kept = folder.join("src/generated");
        if std::env::var_os("OCTO_WRITE").is_some() {
            fs::write(kept.join("auth.rs"), &code).unwrap();
            fs::write(kept.join("auth.bin"), description.encode_to_vec()).unwrap();
            return;
        }
        let advice = "`OCTO_WRITE=1 cargo test --release -p grpc` writes it anew";
        assert!(code == fs::read_to_string(kept.join("auth.rs")).unwrap(), "{advice}");
        assert!(description.encode_to_vec() == FILE_DESCRIPTOR_SET, "{advice}");
    }
}
