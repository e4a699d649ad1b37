//! Server reflection: what the services look like, for programs such as `grpcurl`.
//!
//! `tonic-reflection` has the messages; its server answers from a task of tokio's, and there is no such runtime here.

use std::{pin::Pin, time::Duration};

use futures::{Stream, StreamExt, stream};
use octo_core::async_trait;
use octo_http::App;
use prost::Message;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::{
    v1::{
        self, ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
        ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
        server_reflection_server::ServerReflection,
    },
    v1alpha,
};

use crate::{call, proto};

/// Questions of one stream: nobody has more about three files.
const QUESTIONS: usize = 1000;

/// The service, for one call.
#[derive(Debug)]
pub(crate) struct Reflection {
    pub(crate) app: App,
    /// How long a stream waits for the next question.
    pub(crate) limit: Duration,
}

#[async_trait]
impl ServerReflection for Reflection {
    type ServerReflectionInfoStream =
        Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let (app, limit, files) = (self.app.clone(), self.limit, files()?);
        let start = Some((request.into_inner(), app, files));
        let answers = stream::unfold(start, move |state| async move {
            let (mut questions, app, files) = state?;
            match call::within(&app, limit, questions.next()).await {
                Some(Some(Ok(question))) => {
                    Some((Ok(answered(&files, question)), Some((questions, app, files))))
                }
                Some(Some(Err(status))) => Some((Err(status), None)),
                Some(None) => None,
                None => Some((Err(Status::deadline_exceeded("no question came in time")), None)),
            }
        });
        Ok(Response::new(answers.take(QUESTIONS).boxed()))
    }
}

fn answered(files: &[File], question: ServerReflectionRequest) -> ServerReflectionResponse {
    let found = |file: Option<&File>| match file {
        Some(file) => MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto: vec![file.bytes.clone()],
        }),
        None => unknown(),
    };
    let answer = match &question.message_request {
        Some(MessageRequest::FileByFilename(name)) => found(files.iter().find(|file| file.name == *name)),
        Some(MessageRequest::FileContainingSymbol(symbol)) => {
            found(files.iter().find(|file| file.symbols.contains(symbol)))
        }
        // There are no extensions. `grpcurl` asks all the same.
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => {
            MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
                base_type_name: name.clone(),
                extension_number: Vec::new(),
            })
        }
        Some(MessageRequest::ListServices(_)) => {
            let names = files.iter().flat_map(|file| file.services.clone());
            let service = names.map(|name| ServiceResponse { name }).collect();
            MessageResponse::ListServicesResponse(ListServiceResponse { service })
        }
        Some(MessageRequest::FileContainingExtension(_)) | None => unknown(),
    };
    ServerReflectionResponse {
        valid_host: question.host.clone(),
        original_request: Some(question),
        message_response: Some(answer),
    }
}

fn unknown() -> MessageResponse {
    MessageResponse::ErrorResponse(ErrorResponse {
        error_code: Code::NotFound.into(),
        error_message: "not found".into(),
    })
}

/// A file that describes services, and what is declared in it.
#[derive(Clone, Debug)]
struct File {
    name: String,
    bytes: Vec<u8>,
    services: Vec<String>,
    symbols: Vec<String>,
}

/// The files of all services that are here.
fn files() -> Result<Vec<File>, Status> {
    let sets = [proto::FILE_DESCRIPTOR_SET, v1::FILE_DESCRIPTOR_SET, v1alpha::FILE_DESCRIPTOR_SET];
    let mut files = Vec::new();
    for set in sets {
        for bytes in FileSet::decode(set).map_err(crate::sign_on::failed)?.files {
            let declared = Declared::decode(bytes.as_slice()).map_err(crate::sign_on::failed)?;
            files.push(File::of(declared, bytes));
        }
    }
    Ok(files)
}

impl File {
    fn of(declared: Declared, bytes: Vec<u8>) -> Self {
        let full = |name: &str| format!("{}.{name}", declared.package);
        let mut symbols: Vec<String> = declared.messages.iter().map(|message| full(&message.name)).collect();
        let mut services = Vec::new();
        for service in &declared.services {
            let name = full(&service.name);
            symbols.extend(service.methods.iter().map(|method| format!("{name}.{}", method.name)));
            symbols.push(name.clone());
            services.push(name);
        }
        Self { name: declared.name, bytes, services, symbols }
    }
}

/// `google.protobuf.FileDescriptorSet`, its files as they are.
#[derive(Clone, PartialEq, prost::Message)]
struct FileSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

/// What of `google.protobuf.FileDescriptorProto` is needed to find it.
#[derive(Clone, PartialEq, prost::Message)]
struct Declared {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Named>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<DeclaredService>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct DeclaredService {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<Named>,
}
